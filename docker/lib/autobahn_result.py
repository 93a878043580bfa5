"""Says how the cases of an Autobahn report ended; exits 1 where one failed or was not strict."""

import collections
import json
import sys

GOOD = ("OK", "INFORMATIONAL", "UNIMPLEMENTED")

with open(sys.argv[1]) as report:
    cases = json.load(report)["Martlet"]

counts = collections.Counter(case["behavior"] for case in cases.values())
closes = collections.Counter(case["behaviorClose"] for case in cases.values())
print("%d cases: %s" % (len(cases), ", ".join("%d %s" % (counts[name], name) for name in sorted(counts))))
print("their closes: %s" % ", ".join("%d %s" % (closes[name], name) for name in sorted(closes)))

by_group = collections.defaultdict(collections.Counter)
for number, case in cases.items():
    by_group[int(number.split(".")[0])][case["behavior"]] += 1
for group, found in sorted(by_group.items()):
    print("group %d: %s" % (group, ", ".join("%d %s" % (found[name], name) for name in sorted(found))))

bad = sorted(
    number for number, case in cases.items() if case["behavior"] not in GOOD or case["behaviorClose"] not in GOOD
)
for number in bad:
    print("%s: %s, close %s" % (number, cases[number]["behavior"], cases[number]["behaviorClose"]))
sys.exit(1 if bad or not cases else 0)
