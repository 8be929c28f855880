"""Published networks by name: their layers, their widths, and their forms for small images."""
