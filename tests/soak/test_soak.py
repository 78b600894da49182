"""Short soaks: each promise holds, and a promise that is broken on purpose is seen."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Final

import pytest

from mock_server.strict.shapes import is_array, is_table
from tests.few_files import few_files
from tests.forked import ROOT
from tests.soak.checks import LAST, JobCheck, Plant, Tally
from tests.soak.memory import Growth, fitted
from tests.soak.running import raise_the_limit
