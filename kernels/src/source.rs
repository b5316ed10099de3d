//! A network by its built-in name, as a TOML file, or as an ONNX file.

use std::path::Path;

use crate::graph::{self, Graph, ModelError};
use crate::onnx::{self, Imported, OnnxError};

/// A network and where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A network that is part of the program.
    BuiltIn(Graph),
    /// A network from a TOML file, which has no trained numbers.
    Toml(Graph),
    /// A network from an ONNX file, with its trained numbers.
    Onnx(Imported),
}

/// Why there is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The name is neither that of a built-in network nor of a TOML file that describes one.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The ONNX file holds no network that can be taken over.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
}

impl Source {
    /// The network by built-in name or file; a file whose name ends in `.onnx` is an ONNX file.
    ///
    /// # Errors
    /// If there is no such network, or the file holds none that the core can run.
    pub fn load(name: &str) -> Result<Self, SourceError> {
        if let Some(graph) = graph::built_in(name) {
            return Ok(Self::BuiltIn(graph));
        }
        if Path::new(name).extension().is_some_and(|e| e.eq_ignore_ascii_case("onnx")) {
            return Ok(Self::Onnx(onnx::load(Path::new(name))?));
        }
        Ok(Self::Toml(graph::load(name)?))
    }

    /// The graph.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        match self {
            Self::BuiltIn(graph) | Self::Toml(graph) | Self::Onnx(Imported { graph, .. }) => graph,
        }
    }
}
