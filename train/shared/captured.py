"""A training step as one CUDA graph: a single launch in place of a thousand, which would take longer than their work.

Nguyen et al. 2021, "Accelerating PyTorch with CUDA Graphs", https://pytorch.org/blog/accelerating-pytorch-with-cuda-graphs
"""

from collections.abc import Callable

import torch
from torch import Tensor

WARM_UP = 3
"""Steps that run as they are before one is captured: kernels are chosen and compiled in them, and states begin."""


class CapturedStep:
    """A step that is captured once it is warm, and repeated from then on.

    Each call is a real step. What is captured reads the same places in memory every time, so a step must take its faces
    by `index` and everything random from the generator (or torch's own), wait for nothing on the device, and have the
    same shapes in every call; states may change in place alone.

    Args:
        step: takes `index` (B,) on the device, and a generator there; gives a tensor.
        device: a CUDA device.
    """

    def __init__(self, step: Callable[[Tensor, torch.Generator], Tensor], device: torch.device) -> None:
        self._step, self._device = step, device
        self._generator = torch.Generator(device)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._calls = 0

    def __call__(self, index: Tensor, seed: int) -> Tensor:
        """One step with the faces of `index`; the result is overwritten by the next."""
        self._generator.manual_seed(seed)
        if self._graph is None and self._calls < WARM_UP:
            self._calls += 1
            return self._warm_up(index)
        if self._graph is None:
            self._graph = self._capture(index)
        self._index.copy_(index)
        self._graph.replay()
        return self._result

    def _warm_up(self, index: Tensor) -> Tensor:
        # Kernels choose their workspaces by stream, and none may be new where the capture begins.
        side = torch.cuda.Stream(self._device)
        side.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(side):
            result = self._step(index, self._generator)
        torch.cuda.current_stream(self._device).wait_stream(side)
        return result

    def _capture(self, index: Tensor) -> torch.cuda.CUDAGraph:
        self._index = index.clone()
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self._generator)
        with torch.cuda.graph(graph):
            self._result = self._step(self._index, self._generator)
        return graph
