//! `lut.json`: measured cycles and energy of layers, and the cost of any layer interpolated from them.
