// The cases of bench_template.c for nunjucks; the folder of the package is the first argument.
const nunjucks = require(process.argv[2]);
const SMALL = 'Dear {{ user.name|upper }}, order {{ number }} of {{ day }} ({{ kind|title }}) is {{ state }}.';
const VARS = {user: {name: 'ada'}, number: 4711, day: '2026-01-02', kind: 'fixed line', state: 'done'};
const LOOP = "{% for u in users %}{% if u.active %}{{ loop.index }}. {{ u.name|upper }} <{{ u.mail }}>{% else %}" +
  "({{ u.name|capitalize }}){% endif %}{{ ', admin' if u.level > 8 else '' }}\n{% endfor %}";
const env = new nunjucks.Environment(null, {autoescape: false});
const users = [...Array(1000).keys()].map(i => (
  {name: `user number ${i}`, mail: `user${i}@example.org`, active: i % 3 !== 0, level: i % 17}));
function rate(name, source, context) {
  const t = nunjucks.compile(source, env);
  let n = 0, out;
  const start = process.hrtime.bigint();
  while (process.hrtime.bigint() - start < 2000000000n) { for (let i = 0; i < 16; i++) out = t.render(context); n += 16; }
  console.log(`${name} ${Math.round(n * 1e9 / Number(process.hrtime.bigint() - start))} renders/s (${out.length} bytes)`);
}
rate('small', SMALL, VARS);
rate('loop-1000-dicts', LOOP, {users});
const t = nunjucks.compile('{% for n in numbers %}{{ n }},{% endfor %}', env);
const start = process.hrtime.bigint();
const out = t.render({numbers: [...Array(1000000).keys()]});
console.log(`for-1000000 ${(Number(process.hrtime.bigint() - start) / 1e6).toFixed(1)} ms (${out.length} bytes)`);
