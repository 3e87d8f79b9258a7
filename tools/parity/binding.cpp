// mmcv's PSAMask, from mmcv's own source (CPU), named to Python as mmcv's extension names it.
#include <torch/extension.h>

#include "pytorch/psamask.cpp"
#include "pytorch/cpu/psamask.cpp"

#define SIZES                                                                                          \
  py::arg("psa_type"), py::arg("num_"), py::arg("h_feature"), py::arg("w_feature"), py::arg("h_mask"), \
      py::arg("w_mask"), py::arg("half_h_mask"), py::arg("half_w_mask")

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  m.def("psamask_forward", &psamask_forward, py::arg("input"), py::arg("output"), SIZES);
  m.def("psamask_backward", &psamask_backward, py::arg("grad_output"), py::arg("grad_input"), SIZES);
}
