"""OSC dialects: one data file a target program, read by :mod:`realtime.outputs.dialect`."""
