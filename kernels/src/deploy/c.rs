//! A network as C sources, with the kernels that the ELF has.

use super::DeployError;
use crate::net::IntNet;

/// A file to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name.
    pub name: &'static str,
    /// What is in it.
    pub text: String,
}

/// Not yet.
///
/// # Errors
/// If the network does not validate.
pub fn c_sources(net: &IntNet, _sample: &[i32]) -> Result<Vec<Source>, DeployError> {
    net.validate()?;
    Ok(Vec::new())
}
