"""Records of lines, from whatever source: matched, with what stands around them, or missed."""
