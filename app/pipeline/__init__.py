"""The steps of a webhook: `receive`, `fetching`, `inbound`, `apply`, `publish`.

Beside them, a room for what the longer steps consist of (`applying`, `publishing`) and one
for each other thing that is done: `acts` of people and programs, `spreadsheets`,
`configuring`, `watching` the channels, `repairing`, `proving`. `house` is what they share:
the configuration, read once and again when it changes.
"""
