//! Operations on tensors whose gradient a function of ours computes, which tch does not offer: a node in libtorch's graph
//! (`backward.cpp`) that calls back.

use std::ffi::c_void;

use tch::Tensor;
use torch_sys::C_tensor;

/// From the gradient of an output to that of the input.
pub(super) trait Backward: Send {
    /// `alone`: nobody else sees `gradient`, so that it may be overwritten and returned.
    fn backward(&self, gradient: Tensor, alone: bool) -> Tensor;
}

type Function = unsafe extern "C" fn(*mut c_void, *mut C_tensor, bool) -> *mut C_tensor;

unsafe extern "C" {
    fn nas_attach(
        input: *const C_tensor,
        output: *const C_tensor,
        state: *mut c_void,
        function: Function,
        drop: unsafe extern "C" fn(*mut c_void),
    );
}

/// Makes `output`, computed from `input` without libtorch's knowledge, a function of it. Does nothing where no gradient is
/// asked for.
pub(super) fn attach<B: Backward>(input: &Tensor, output: &Tensor, backward: B) {
    let state = Box::into_raw(Box::new(backward)).cast();
    // SAFETY: both pointers are those of live tensors; `state` is freed with the node, or at once if there is none, by the function for its type.
    unsafe { nas_attach(input.as_ptr(), output.as_ptr(), state, call::<B>, free::<B>) }
}

unsafe extern "C" fn call<B: Backward>(
    state: *mut c_void,
    gradient: *mut C_tensor,
    alone: bool,
) -> *mut C_tensor {
    // SAFETY: `state` is the box of `attach`, alive as long as the node that calls; `gradient` is a live tensor.
    let (state, gradient) = unsafe { (&*state.cast::<B>(), Tensor::clone_from_ptr(gradient)) };
    let mut result = std::mem::ManuallyDrop::new(state.backward(gradient, alone));
    result.as_mut_ptr()
}

unsafe extern "C" fn free<B: Backward>(state: *mut c_void) {
    // SAFETY: the box of `attach`, given back once.
    drop(unsafe { Box::from_raw(state.cast::<B>()) });
}
