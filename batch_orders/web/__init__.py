"""The page where HR uploads, previews, mends, confirms, watches and downloads: thin, over the same pipeline.

serving.py   running it: where it listens, how it ends       app.py      the application
access.py    who may come in, what every answer carries      people.py, sessions.py, login.py
page.py      what all routes share                           drafts.py   uploaded sheets, and what became of them
sheets.py    the routes of a sheet until it is ordered       judging.py  what would be ordered, and what needs work
matching.py  foreign columns                                 review.py   that, as a person sees it
runs.py      the routes of runs                              live.py     runs that are under way
waiting.py   the routes of what waits for a person           records.py  what the ledger keeps of both
"""
