"""One function for every operator of ONNX that can be written; `table.OPERATORS` names them."""
