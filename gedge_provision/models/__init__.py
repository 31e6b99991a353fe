"""Typed, frozen, validated data: what everything else talks about. No I/O, no decisions."""
