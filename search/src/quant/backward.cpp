// What tch does not offer: an operation whose gradient a function of ours computes. Called by backward.rs only.
#include <memory>

#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>

namespace {

using torch::autograd::variable_list;

// Gets the gradient of the output, and whether nobody else sees that tensor, so that it may be overwritten; returns the
// gradient of the input as a tensor of its own, which is deleted here.
using Function = at::Tensor *(*)(void *state, const at::Tensor *gradient, bool alone);
using Drop = void (*)(void *state);

struct Backward final : torch::autograd::Node {
    Backward(torch::autograd::edge_list next, void *state, Function function, Drop drop)
        : Node(std::move(next)), state(state), function(function), drop(drop) {}
    ~Backward() override { drop(state); }

    variable_list apply(variable_list &&gradients) override {
        at::Tensor gradient = std::move(gradients[0]);
        if (!gradient.defined()) return {gradient};
        const bool alone = gradient.use_count() == 1 && gradient.storage().use_count() == 1;
        std::unique_ptr<at::Tensor> result(function(state, &gradient, alone));
        return {*result};
    }

    void *state;
    Function function;
    Drop drop;
};

} // namespace

// Makes `output`, which has no history, a function of `input`, if gradients are asked for; owns `state` from here on.
extern "C" void nas_attach(const at::Tensor *input, const at::Tensor *output, void *state, Function function,
                           Drop drop) noexcept {
    if (!at::GradMode::is_enabled() || !input->requires_grad()) return drop(state);
    std::shared_ptr<Backward> node(
        new Backward(torch::autograd::collect_next_edges(*input), state, function, drop), torch::autograd::deleteNode);
    torch::autograd::set_history(*output, node);
}
