/*
 * Data keys under a key that is not in the database (migration.md 7.5, 7.6).
 */
#include "crypto/key_wrap.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/ascii.h"
#include "crypto/seal_int.h"

#define PURPOSE "keys.material"

enum { KEY = 32, FILE_MAX = 256 };

void kek_of(const unsigned char key[32], struct kek *out)
{
    unsigned char digest[64];
    size_t n;

    memcpy(out->key, key, KEY);
    crypto_digest("sha256", str_make((const char *)key, KEY), digest, &n);
    for (size_t i = 0; i < 8; i++) {
        out->fingerprint[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        out->fingerprint[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    out->fingerprint[16] = '\0';
}

void kek_wipe(struct kek *k)
{
    crypto_wipe(k, sizeof *k);
}

static bool from_hex(struct str text, unsigned char key[KEY])
{
    if (text.len != 2 * KEY)
        return false;
    for (size_t i = 0; i < KEY; i++) {
        int high = ascii_hex(text.p[2 * i]), low = ascii_hex(text.p[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        key[i] = (unsigned char)(high * 16 + low);
    }
    return true;
}

static bool key_of_bytes(struct str bytes, unsigned char key[KEY], struct arena *a)
{
    struct str text = str_trim(bytes), raw;

    if (bytes.len == KEY) {
        memcpy(key, bytes.p, KEY);
        return true;
    }
    if (from_hex(text, key))
        return true;
    if (text.len == 44 && crypto_unb64(a, text, &raw) && raw.len == KEY) {
        memcpy(key, raw.p, KEY);
        crypto_wipe((void *)(uintptr_t)raw.p, raw.len);
        return true;
    }
    return false;
}

static int check_mode(const char *path, int fd, struct err *e)
{
    struct stat st;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        err_set(e, ERR_CONFIG, "-kek: %s is not a file", path);
        return -1;
    }
    if ((st.st_mode & 07) != 0 || (st.st_mode & 030) != 0) {
        err_set(e, ERR_CONFIG, "-kek: %s is %s (mode %04o)", path,
                (st.st_mode & 04) != 0   ? "readable by everyone"
                : (st.st_mode & 07) != 0 ? "writable by everyone"
                                         : "writable by its group",
                (unsigned)(st.st_mode & 07777));
        return -1;
    }
    return 0;
}

int kek_read(const char *path, struct kek *out, struct err *e)
{
    unsigned char bytes[FILE_MAX], key[KEY];
    struct arena *a = arena_new(512);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = 0, got;
    int rc = -1;

    if (fd < 0) {
        err_set(e, ERR_CONFIG, "-kek: cannot read %s: %s", path, strerror(errno));
        goto out;
    }
    if (check_mode(path, fd, e) != 0)
        goto out;
    while (n < FILE_MAX && (got = read(fd, bytes + n, (size_t)(FILE_MAX - n))) > 0)
        n += got;
    if (!key_of_bytes(str_make((const char *)bytes, (size_t)n), key, a)) {
        err_set(e, ERR_CONFIG, "-kek: expected 32 bytes, got %s%zd", n == FILE_MAX ? "at least " : "",
                n);
        goto out;
    }
    kek_of(key, out);
    rc = 0;
out:
    if (fd >= 0)
        close(fd);
    crypto_wipe(bytes, sizeof bytes);
    crypto_wipe(key, sizeof key);
    arena_free(a);
    return rc;
}

struct str key_wrap(const struct kek *k, uint32_t key_id, struct str material, struct arena *a)
{
    unsigned char nonce[SEAL_NONCE];

    crypto_random(nonce, sizeof nonce);
    return seal_of_kind(KIND_KEY, key_id, k->key, nonce, material, PURPOSE,
                        str_printf(a, "%u", key_id), a);
}

int key_unwrap(const struct kek *k, uint32_t key_id, struct str wrapped, struct secret *out,
               struct arena *a, struct err *e)
{
    return open_of_kind(KIND_KEY, k->key, wrapped, PURPOSE, str_printf(a, "%u", key_id), out, a, e);
}
