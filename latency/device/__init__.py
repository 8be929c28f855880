"""What runs on the device: numpy and onnxruntime alone, Python 3.9 or newer.

A job carries this folder along, so that a device needs no installation of ours: beside it,
`python3 -m device FOLDER` runs the job. See docs/decisions/0020.
"""
