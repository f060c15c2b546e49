"""What moving in costs; tests/bench/moving calls it in the house it made.

    moving.py BUILD WORK URL TOKEN HISTORY_ROWS DOCUMENTS
"""
import base64, hashlib, hmac, http.client, os, random, re, signal, struct, subprocess, sys, threading, time

build, work, url, token = sys.argv[1:5]
history_rows, documents = int(sys.argv[5]), int(sys.argv[6])
socket_dir = work + "/pg"
rng = random.Random(20261123)


def uri(database):
    return "postgresql://sluice@" + socket_dir.replace("/", "%2F") + "/" + database


def psql(sql, database="sluice"):
    return subprocess.run(["psql", "-h", socket_dir, "-U", "sluice", "-d", database, "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", sql],
                          check=True, capture_output=True, text=True).stdout.strip()


def row(what, measured, mark):
    print(f"| {what} | {measured} | {mark} |", flush=True)


# ---- starting -----------------------------------------------------------------------------------

class Program:
    """A core on a socket of its own; ready() waits for its own word."""
    n = 0

    def __init__(self, database, *options):
        Program.n += 1
        name = f"{work}/start{Program.n}"
        self.log = name + ".log"
        self.begun = time.monotonic()
        self.process = subprocess.Popen([build + "/sluice-core", f"-socket={name}.sock", *options], stderr=open(self.log, "w"),
                                        stdout=subprocess.DEVNULL, env={**os.environ, "DB": uri(database)})

    def ready(self):
        while "app.ready" not in open(self.log).read():
            if self.process.poll() is not None or time.monotonic() - self.begun > 60:
                sys.exit("bench: a core did not start: " + open(self.log).read())
            time.sleep(0.001)
        return (time.monotonic() - self.begun) * 1000

    def stop(self):
        self.process.terminate()
        self.process.wait()


def starting():
    times = []
    for _ in range(11):
        p = Program("sluice", "-workflows")
        times.append(p.ready())
        p.stop()
    times.sort()
    row("ready after start, schema up to date: smallest, middle, largest of 11", " / ".join(f"{t:.0f}" for t in (times[0], times[5], times[-1])) + " ms",
        "300 ms, aim 100 ms")
    psql("CREATE DATABASE ten")
    cores = [Program("ten", "-workflows", *(["-runMigration=false"] if i % 2 else [])) for i in range(10)]
    last = max(p.ready() for p in cores)
    row("ten processes together on an empty database, all serving", f"{last / 1000:.2f} s", "10 s")
    for p in cores:
        p.stop()


# ---- documents ----------------------------------------------------------------------------------

def fernet_token(size):
    key = bytes(range(32))
    plain = os.urandom(size)
    iv = bytes(16)
    sealed = subprocess.run(["openssl", "enc", "-aes-128-cbc", "-K", key[16:].hex(), "-iv", iv.hex()], input=plain, check=True,
                            capture_output=True).stdout
    body = b"\x80" + struct.pack(">Q", 1600000000) + iv + sealed
    return base64.urlsafe_b64encode(key).decode(), base64.urlsafe_b64encode(body + hmac.new(key[:16], body, hashlib.sha256).digest()), plain


def keys(*words):
    p = subprocess.run([build + "/sluicectl", "keys", *words], env={**os.environ, "DB": uri("sluice")}, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True)
    if p.returncode != 0:
        sys.exit(f"bench: keys {words}: {p.returncode} {p.stdout}")
    return p.stdout


def peak_kib(pid):
    try:
        return int(re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{pid}/status").read()).group(1))
    except (OSError, AttributeError):
        return 0


def reseal_measured(*options):
    """Seconds of the first pass and peak memory; the second pass waits for others and finds nothing."""
    begun = time.monotonic()
    p = subprocess.Popen([build + "/sluicectl", "keys", "reseal", *options], env={**os.environ, "DB": uri("sluice")},
                         stdout=open(work + "/reseal.log", "w"), stderr=subprocess.STDOUT)
    peak = 0
    done = None
    while p.poll() is None:
        peak = max(peak, peak_kib(p.pid))
        if done is None and psql(LEFT) == "0":
            done = time.monotonic() - begun
        time.sleep(0.1)
    if p.returncode != 0:
        sys.exit("bench: reseal: " + open(work + "/reseal.log").read())
    return done or time.monotonic() - begun, peak


LEFT = ("SELECT count(*) FROM documents WHERE head IS NULL OR key_id <> (SELECT max(id) FROM keys WHERE label = 'document-storage' "
        "AND state = 'active' AND algorithm = 'aes-256-gcm')")


def call(connection, method, path, body=None):
    connection.request(method, path, body, {"Authorization": "Bearer " + token, "Content-Type": "text/plain"})
    answer = connection.getresponse()
    return answer.status, answer.read()


class Load(threading.Thread):
    """Uploads and downloads all the time, and compares every byte."""

    def __init__(self, base):
        super().__init__()
        self.base, self.over, self.n, self.wrong, self.longest = base, False, 0, [], 0.0

    def run(self):
        connection = http.client.HTTPConnection(url.removeprefix("http://"))
        while not self.over:
            content = os.urandom(1000).hex().encode()
            begun = time.monotonic()
            status, body = call(connection, "POST", f"{self.base}?name=load-{self.n}.txt", content)
            if status == 200:
                status, got = call(connection, "GET", f"{self.base}/{int(re.search(rb'[0-9]+', body).group())}")
                if got != content:
                    self.wrong.append((status, len(got)))
            else:
                self.wrong.append((status, body))
            self.longest = max(self.longest, time.monotonic() - begun)
            self.n += 1


def resealing():
    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    call(connection, "GET", "/api/v01/public/demo")
    time.sleep(1)
    instance, created = psql("SELECT id, created_on FROM instances ORDER BY id DESC LIMIT 1").split("|")
    base = f"/api/v01/transactions/{instance}/documents"
    key, text, plain = fernet_token(100 * 1000)
    open(work + "/token", "wb").write(text)
    os.chmod(work + "/token", 0o644)
    key_id = psql(f"INSERT INTO keys (label, algorithm, material) VALUES ('document-storage-old', 'fernet', convert_to('{key}', 'UTF8')) RETURNING id")

    def add(n, name):
        psql(f"INSERT INTO documents (instance_id, instance_on, name, mime_type, key_id, content) SELECT {instance}, '{created}', "
             f"'{name}-' || g, 'application/octet-stream', {key_id}, pg_read_binary_file('{work}/token') FROM generate_series(1, {n}) g")

    add(documents, "token")
    seconds, peak = reseal_measured()
    row(f"`keys reseal` of {documents:,} tokens of 100 KB of the former product", f"{documents / seconds:,.0f} rows/s, peak {peak / 1024:.0f} MiB", "-")
    keys("rotate", "document-storage")
    seconds, peak = reseal_measured()
    row(f"`keys reseal` of {documents:,} documents of 100 KB after a rotation", f"{documents / seconds:,.0f} rows/s, peak {peak / 1024:.0f} MiB", "-")
    # killed while people work
    add(documents // 5, "killed")
    keys("rotate", "document-storage")
    load = Load(base)
    load.start()
    left = []
    for _ in range(20):
        p = subprocess.Popen([build + "/sluicectl", "keys", "reseal", "--batch=20"], env={**os.environ, "DB": uri("sluice")},
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.05 + 0.15 * rng.random())
        p.send_signal(signal.SIGKILL)
        p.wait()
        left.append(int(psql(LEFT)))
    keys("reseal")
    load.over = True
    load.join()
    same = 0
    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    for doc in psql("SELECT id FROM documents WHERE name LIKE 'killed-%' OR name LIKE 'token-%' ORDER BY random() LIMIT 300").split():
        status, got = call(connection, "GET", f"{base}/{doc}")
        same += status == 200 and got == plain
    out = keys("verify")
    lost = documents + documents // 5 - int(psql("SELECT count(*) FROM documents WHERE name LIKE 'killed-%' OR name LIKE 'token-%'"))
    row(f"killed 20 times with {load.n} uploads and downloads beside it (left after each kill: {left[0]} ... {left[-1]})",
        f"{lost} lost, {psql(LEFT)} on an old key, {len(load.wrong)} errors served, {same} of 300 looked at equal; longest pair "
        f"{load.longest * 1000:.0f} ms; verify: {out.strip().splitlines()[-1]}", "nothing lost")


# ---- upgrade --------------------------------------------------------------------------------------

FILL = """
INSERT INTO instances (id, created_on, guid, status, definition_id)
    SELECT g, now() - g * interval '1 second' / 1000, gen_random_uuid(), 'CLOSED_IN_SUCCESS', 1 FROM generate_series(1, {n}) g;
INSERT INTO tasks (id, instance_id, instance_on, cell_id, status, created_on)
    SELECT id, id, created_on, 'start', 'OK', created_on FROM instances WHERE id <= {n};
INSERT INTO requests (id, created_on, status, instance_id, instance_on)
    SELECT id, created_on, 'SUCCESS', id, created_on FROM instances WHERE id <= {n};
ANALYZE;
"""
REQUEST = """
\\set id random(100000000, 900000000000)
\\set old random(1, 1000)
BEGIN;
INSERT INTO instances (id, created_on, guid, status, definition_id) VALUES (:id, now(), gen_random_uuid(), 'ACTIVE', 1);
INSERT INTO tasks (id, instance_id, instance_on, cell_id, status, created_on) VALUES (:id, :id, now(), 'start', 'OK', now());
INSERT INTO requests (id, created_on, status, instance_id, instance_on) VALUES (:id, now(), 'SUCCESS', :id, now());
COMMIT;
SELECT count(*) FROM instances WHERE id = :old;
SELECT id, status FROM requests ORDER BY created_on DESC, id DESC LIMIT 20;
SELECT id FROM keys ORDER BY id;
"""


def upgrading(version, what):
    name = f"up{version}"
    psql(f"CREATE DATABASE {name}")
    migrate = [build + "/sluicectl", "migrate"]
    env = {**os.environ, "DB": uri(name)}
    subprocess.run([*migrate, f"-to={version}"], env=env, check=True, capture_output=True)
    psql(FILL.format(n=history_rows // 3), name)
    folder = f"{work}/{name}"
    os.mkdir(folder)
    open(folder + "/request.sql", "w").write(REQUEST)
    load = subprocess.Popen(["/usr/lib/postgresql/15/bin/pgbench", "-h", socket_dir, "-U", "sluice", "-n", "-c", "4", "-T", "12", "-l",
                             "--log-prefix=log", "-f", "request.sql", name], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    time.sleep(3)
    begun = time.time()
    subprocess.run(migrate, env=env, check=True, capture_output=True)
    ended = time.time()
    out = load.communicate()[0]
    if load.returncode != 0 or "aborted" in out:
        sys.exit("bench: requests failed while upgrading: " + out)
    during = before = 0.0
    failed = 0
    for log in os.listdir(folder):
        if not log.startswith("log"):
            continue
        for line in open(f"{folder}/{log}"):
            f = line.split()
            if f[2] == "failed": # in a circle with the migration
                failed += 1
                continue
            end, took = int(f[4]) + int(f[5]) / 1e6, int(f[2]) / 1e6
            if end - took <= ended and end >= begun:
                during = max(during, took)
            elif end < begun:
                before = max(before, took)
    row(f"upgrade from {version} to {psql('SELECT max(version) FROM schema_versions', name)} with {history_rows:,} history rows {what}",
        f"{(ended - begun) * 1000:.0f} ms; longest request {during * 1000:.0f} ms (before: {before * 1000:.0f} ms), {failed} failed", "1 s, aim 100 ms")


print("| what | measured | mark |\n| --- | --- | --- |")
only = os.environ.get("BENCH_ONLY", "starting resealing upgrading").split()
if "starting" in only:
    starting()
if "resealing" in only:
    resealing()
if "upgrading" in only:
    upgrading(int(psql("SELECT max(version) FROM schema_versions")) - 3, "(three migrations)")
    upgrading(7, "(with the check of 0008, which reads every instance)")
