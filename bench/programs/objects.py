"""objects.py ROUNDS [hold]: builds and drops strings, lists, dictionaries, a tree and JSON."""

import json
import sys


class Node:
    def __init__(self, key):
        self.key = key
        self.left = None
        self.right = None


def tree_insert(root, key):
    node = root
    while True:
        side = "left" if key < node.key else "right"
        below = getattr(node, side)
        if below is None:
            setattr(node, side, Node(key))
            return
        node = below


def tree_sum(root):
    total, stack = 0, [root]
    while stack:
        node = stack.pop()
        if node:
            total += node.key
            stack += (node.left, node.right)
    return total


def build_tree(seed):
    root = Node(1 << 15)
    for _ in range(2000):
        seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        tree_insert(root, seed >> 15)
    return tree_sum(root)


def build_records(seed):
    records = [{"id": seed * 1000 + i, "name": "record %d" % i, "tags": [str(i % 7), str(i % 11)],
                "score": i / 3} for i in range(1500)]
    back = json.loads(json.dumps(records))
    back.sort(key=lambda r: (r["tags"], r["name"]))
    return sum(i * len(r["name"]) + r["id"] for i, r in enumerate(back))


def build_strings(seed):
    words = ["%x" % (seed * 7919 + i * 104729) for i in range(6000)]
    index = {}
    for word in words:
        index.setdefault(word[-3:], []).append(word)
    text = "".join(sorted(" ".join(group) for group in index.values()))
    return len(text) + len(set(text.split()))


def main():
    total = 0
    for seed in range(int(sys.argv[1])):
        total += build_tree(seed) + build_records(seed) + build_strings(seed)
    print("checksum %d" % total, flush=True)
    if "hold" in sys.argv[2:]:
        print("hold", flush=True)
        sys.stdin.read()


main()
