"""Generated histories of runs, crashes, edits and verdicts: the real program against a vendor who keeps a book.

`test_histories.py` is where to begin; `machine.py` has what can happen and what must hold after each step. `process.py`
is one run of the program, which can die at any step; `vendor.py` the other side, whose book is the oracle; `sheets.py`
the sheets that people write and edit; `virtual_time.py` the clock that makes a history take milliseconds.
"""
