"""Instructions of the machine, run elsewhere than where they stand."""

from __future__ import annotations

from goprobe.arch.amd64.displaced import displace as displace, followers as followers
