"""Layouts of image folders and files, one file each."""
