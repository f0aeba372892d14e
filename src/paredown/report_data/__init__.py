"""What a report needs beside the trials, kept in the study directory and read back as a Story.

Nothing is measured again to make a report.

facts.json      the float model, the data, the command, the recipes to come: what trials.jsonl does not hold;
                written when a study starts, and again with pictures and times of layers when it has ended
card.toml       how all of the study's models are fed and read
evidence/       what was found of every model, image by image: comparing two later needs nothing else
pictures/       0-float.jpg, 0-other.jpg, ...: the images with the largest differences
"""

from paredown.report_data.facts import write_end, write_start
from paredown.report_data.parts import read_stories
from paredown.report_data.story import read_story

__all__ = ["read_stories", "read_story", "write_end", "write_start"]
