"""Prints the verdict of each test case of a JUnit file, sorted."""

import sys
import xml.etree.ElementTree


def verdict(case):
    children = [child.tag for child in case if child.tag in ("error", "failure", "skipped")]
    return ", ".join(children) or case.get("result")


cases = xml.etree.ElementTree.parse(sys.argv[1]).iter("testcase")
for line in sorted(f"{case.get('name')} {case.get('status')} {verdict(case)}" for case in cases):
    print(line)
