"""The page where HR uploads, previews, mends, confirms, watches and downloads: thin, over the same pipeline.

serving.py   running it: where it listens, and how it ends      app.py      the application, and its parts
access.py    who may come in, and what every answer carries     people.py, sessions.py
sheets.py    the routes of a sheet on its way to its order      drafts.py   uploaded sheets, and what became of them
judging.py   what would be ordered, and what needs work         review.py   that as a person sees it
orders.py    the routes of runs and of what waits               live.py     runs that are under way
"""
