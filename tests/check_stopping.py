#!/usr/bin/env python3
"""check_stopping.py - signals, files and time limits that stop a run               timeout: 300, alone

The sections of check_restart.py that take time by the clock.
"""
import runpy
import sys

sys.argv[1:] = ["asked", "instants", "elsewhere"]
runpy.run_path("tests/check_restart.py")
