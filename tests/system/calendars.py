# SPDX-License-Identifier: ISC
"""Calendar expressions, made up, and what systemd and dray say of each.

calendars.py PROGRAM COUNT [SEED]: prints differences, exits 1 if there are any.
PROGRAM is tests/live/calendar.
"""

import calendar
import os
import random
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

TIMES = 8
# When their clocks are changed; but not where a part of an hour is left out, as
# in Chatham in September, nor in Dublin, whose summer is the standard time: of
# what follows, systemd 252 misses some or all.
CHANGES = {
    "UTC": ["2024-01-01 00:00"],
    "Europe/Berlin": ["2024-03-31 01:00", "2024-10-27 01:00",
                      "2037-10-25 01:00", "2050-03-27 01:00",
                      "2099-10-25 01:00"],
    "America/New_York": ["2024-03-10 07:00", "2024-11-03 06:00"],
    "Australia/Lord_Howe": ["2024-04-06 15:00", "2024-10-05 15:30"],
    "Asia/Kolkata": ["2024-02-29 18:30"],
    "Europe/Dublin": ["2024-10-27 01:00"],
    "America/Sao_Paulo": ["2017-10-15 03:00", "2018-02-18 02:00"],
    "Pacific/Apia": ["2011-12-30 10:00"],
    "Africa/Casablanca": ["2024-03-10 02:00", "2024-04-14 02:00"],
    "Asia/Kathmandu": ["2024-02-29 18:15"],
    "Pacific/Chatham": ["2024-04-06 14:00"],
}
ZONES = list(CHANGES)
DAYS = ["Mon", "Tue", "Wednesday", "thu", "FRI", "Sat", "sunday"]
# the manual's, and what was found to be odd
FIXED = """Sat,Thu,Mon..Wed,Sat..Sun
Mon,Sun 12-*-* 2,1:23
Wed *-1
Wed..Wed,Wed *-1
Wed, 17:48
Wed..Sat,Tue 12-10-15 1:2:3
*-*-7 0:0:0
10-15
monday *-12-* 17:00
Mon,Fri *-*-3,1,2 *:30:45
12,14,13,12:20,10,30
12..14:10,20,30
mon,fri *-1/2-1,3 *:30:45
03-05 08:05:40
08:05:40
05:40
Sat,Sun 12-05 08:05:40
Sat,Sun 08:05:40
2003-03-05 05:40
05:40:23.4200004/3.1700005
2003-02..04-05
2003-03-05 05:40 UTC
2003-03-05
03-05
hourly
daily
daily UTC
monthly
weekly
weekly Pacific/Auckland
yearly
annually
quarterly
semiannually
minutely
*:2/3
*-02-29
Mon *-02-29
*-02-30
*-02~03
Mon *-05~07/1
*-*~1/2 0:0
*-*~28
*-*~29
*-*~5..2
2~*
*-*~1..5/2
Fri..Mon 10:00
Mon, Tue 12:00
12
*
*:*
*:*:*
0/1:0/1:0/1
*:*:30,0/1
*:*:0..59.5
*:*:0.5..3
*:*:1..1.5
*:*:1..1.5/0.5
*:*:00/59.999999
*:*:00/60
5:0:2..2
*:0/0
*-*-01..31/40
98..02-1-1
1969-1-1
1970-1-1
2199-12-31 23:59:59
2200-1-1
@1395716396
@1395716396 UTC
Mon @1395716396
@1395716396 10:00
@1.5
1:2:3.
1:2:59.9999999
1:2:59.9999994
2147483648:0
99999999999999999999:0
daily Foo/Bar
5:5 Europe/berlin
5:5 ../../etc/passwd
2024-1-1T10:00
daily  UTC
mon-*
Wed-Sat 1:0
Mon..
Mon..Wed..Fri
Mon,,Tue
1:0:0,15.5
1970/10-1-1
*-1/12-1
0/24:0
2..1:0
24:00
0:60""".split("\n")

rnd = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)


def spans(low, high, fraction=False):
    """A list of values, some of which make no sense."""
    if rnd.random() < 0.25:
        return "*"
    out = []
    for _ in range(rnd.choice([1, 1, 1, 2, 3])):
        def value():
            v = rnd.randint(low, high + (rnd.random() < 0.04))
            return "%d" % v if not fraction or rnd.random() < 0.7 else \
                "%d.%s" % (v, rnd.choice(["5", "25", "0000005", "999"]))
        v = value()
        if rnd.random() < 0.3:
            v = rnd.choice([v, "%d" % low])
            v += "..%d" % rnd.randint(min(int(float(v)), high), high)
        if rnd.random() < 0.3:
            v += "/%d" % rnd.choice([1, 2, 3, 5, 7, 10, 15, 20, 30])
            if fraction and rnd.random() < 0.3:
                v += rnd.choice([".5", ".25", ".1"])
        out.append(v)
    return ",".join(out)


def expression():
    text = []
    if rnd.random() < 0.3:
        days = []
        for _ in range(rnd.choice([1, 2])):
            a = rnd.randrange(7)
            b = rnd.randrange(a, 7)
            days.append(rnd.choice([DAYS[a], DAYS[a] + ".." + DAYS[b]]))
        text.append(",".join(days))
    if rnd.random() < 0.6:
        year = rnd.choice(["*-", "*-", "", spans(2010, 2060) + "-", "24-",
                           "2024/4-"])
        # systemd 252 lowers the limit of 28 days by 3 for each in a list
        text.append(year + spans(1, 12) + rnd.choice(
            ["-" + spans(1, 31)] * 3 + ["~" + spans(1, 21)]))
    if rnd.random() < 0.8 or not text:
        text.append(spans(0, 23) + ":" + spans(0, 59) + rnd.choice(
            ["", "", ":0", ":" + spans(0, 59), ":" + spans(0, 59, True)]))
    if rnd.random() < 0.2:
        text.append(rnd.choice(["UTC", "utc"] + ZONES[1:]))
    text = " ".join(text)
    if rnd.random() < 0.06:
        at = rnd.randrange(len(text))
        text = text[:at] + rnd.choice("~/-,.:*0 9x") + text[at + 1:]
    return text.strip()


def case(text):
    zone = rnd.choice(ZONES)
    if rnd.random() < 0.7:
        base = calendar.timegm(time.strptime(rnd.choice(CHANGES[zone]),
                                             "%Y-%m-%d %H:%M"))
        base += rnd.randint(-7200, 7200) if rnd.random() < 0.7 \
            else rnd.randint(-90000, 90000)
    else:
        base = rnd.randrange(0, 7000000000)
    return zone, base, text


def systemd(c):
    zone, base, text = c
    r = subprocess.run(
        ["systemd-analyze", "calendar", "--iterations=%d" % TIMES,
         "--base-time=@%d" % base, text], capture_output=True, text=True,
        env=dict(os.environ, TZ=zone, LC_ALL="C.UTF-8"))
    if "Resource deadlock avoided" in r.stderr:
        return ["deadlock"]
    form = re.search("Normalized form: (.*)", r.stdout)
    if not form:
        return None
    out = [form.group(1)]
    # in UTC twice where that is the zone
    label = r"(?:Next elapse|Iter\. #\d+)" if zone == "UTC" else r"\(in UTC\)"
    for m in re.finditer(label + r": \w+ ([-\d]+ [:\d]+) UTC", r.stdout):
        out.append(str(calendar.timegm(time.strptime(
            m.group(1), "%Y-%m-%d %H:%M:%S"))))
    if len(out) <= TIMES:
        out.append("never")
    return out


def known(text, ours, theirs):
    """
    systemd 252 takes the step beyond the end of a minute, day, month or year
    for a time ("56/7" for second 63), and so may leave out what comes next,
    find nothing at all, or take the second of two same hours: it goes from
    23:59:56 of *:*:0/7 to 00:00:07.
    """
    if not re.search(r"(^|[-~:, ])[\d.]+/", text):
        return False
    if theirs == ["deadlock"]:
        return not ours[0].startswith("!")
    if ours[0] != theirs[0]:
        return False
    ours = [int(t) for t in ours[1:] if t != "never"]
    theirs = [int(t) for t in theirs[1:] if t != "never"]
    return all(t in ours or t - 3600 in ours or t - 1800 in ours or
               (len(ours) == TIMES and t > ours[-1]) for t in theirs)


def main():
    cases = [case(t) for t in FIXED for _ in range(2)]
    while len(cases) < int(sys.argv[2]):
        cases.append(case(expression()))
    lines = "".join("%s\t%d\t%d\t%s\n" % (z, b, TIMES, t) for z, b, t in cases)
    r = subprocess.run([sys.argv[1]], input=lines, capture_output=True,
                       text=True, check=True)
    ours = r.stdout.split("\n")[:-1]
    if len(ours) != len(cases):
        sys.exit("%d answers to %d questions" % (len(ours), len(cases)))
    bad = wrong = knowns = 0
    with ThreadPoolExecutor(2) as pool:
        for c, got, want in zip(cases, ours, pool.map(systemd, cases)):
            if want is None:
                wrong += 1
                same = got.startswith("!")
            else:
                same = got.split("\t") == want
            if not same and want and known(c[2], got.split("\t"), want):
                knowns += 1
            elif not same:
                bad += 1
                print("TZ=%s --base-time=@%d '%s'\n  is   %s\n  want %s" % (
                    *c, got, want and "\t".join(want)))
    print("%d expressions, %d of them wrong, %d differences, %d known" % (
        len(cases), wrong, bad, knowns))
    return bad > 0 or wrong < 20 or len(cases) - wrong < 300 or \
        knowns > len(cases) / 50


sys.exit(main())
