"""The cases of bench_template.c for Python's Jinja2 (Debian package python3-jinja2)."""
import json
import time

import jinja2

SMALL = "Dear {{ user.name|upper }}, order {{ number }} of {{ day }} ({{ kind|title }}) is {{ state }}."
SMALL_VARS = {"user": {"name": "ada"}, "number": 4711, "day": "2026-01-02", "kind": "fixed line", "state": "done"}
LOOP = ("{% for u in users %}{% if u.active %}{{ loop.index }}. {{ u.name|upper }} <{{ u.mail }}>{% else %}"
        "({{ u.name|capitalize }}){% endif %}{{ ', admin' if u.level > 8 else '' }}\n{% endfor %}")
USERS = {"users": [{"name": f"user number {i}", "mail": f"user{i}@example.org", "active": i % 3 != 0, "level": i % 17}
                   for i in range(1000)]}
env = jinja2.Environment()


def rate(name, template, context):
    t = env.from_string(template)
    start, n = time.perf_counter(), 0
    while time.perf_counter() - start < 2:
        for _ in range(16):
            out = t.render(context)
        n += 16
    print(f"{name} {n / (time.perf_counter() - start):.0f} renders/s ({len(out)} bytes)")


def once(name, template, context):
    t = env.from_string(template)
    start = time.perf_counter()
    out = t.render(context)
    print(f"{name} {(time.perf_counter() - start) * 1000:.1f} ms ({len(out)} bytes)")


rate("small", SMALL, SMALL_VARS)
rate("loop-1000-dicts", LOOP, USERS)
once("for-1000000", "{% for n in numbers %}{{ n }},{% endfor %}", {"numbers": list(range(1000000))})
text = '{"rows":[' + '{"id":12345,"name":"some name","tags":["a","b"],"value":1.5},' * 170000 + '0],"wanted":{"name":"found"}}'
t = env.from_string("{{ wanted.name }}")
start = time.perf_counter()
t.render(json.loads(text))
print(f"one-field-of-10MB {(time.perf_counter() - start) * 1000:.1f} ms")
long = ("{% if a.b == 1 and c is defined %}\n  {{ d|default('x')|upper }} {{ e.f[0] }}\n"
        "{% else %}{% for g in h %}{{ loop.index }}: {{ g }}\n{% endfor %}\n{% endif %}") * 50
start = time.perf_counter()
env.from_string(long)
print(f"compile-200-lines {(time.perf_counter() - start) * 1000:.2f} ms")
