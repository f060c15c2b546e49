/*
 * b64encode, b64decode, hmac: bytes in other spellings.
 */
#include "base/utf8.h"
#include "crypto/crypto.h"
#include "template/filters/flt.h"

/* Bytes as they are, anything else as UTF-8 text; none and undefined are empty. */
static int bytes_of(struct call *c, struct val v, struct str *out)
{
    struct val s = v;

    *out = STR("");
    if (val_is_none(v))
        return 0;
    if (v.type != VAL_BYTES && lib_text(c, v, &s) != 0)
        return -1;
    *out = val_text(s);
    return 0;
}

int flt_b64encode(struct call *c, struct val *out)
{
    struct str s;

    if (call_bind(c, "", NULL) != 0 || bytes_of(c, c->self, &s) != 0)
        return -1;
    *out = lib_str(crypto_b64(c->a, s), VAL_F_ASCII);
    return 0;
}

/* Blanks between the letters (lines of 76) are passed over. */
static struct str without_blanks(struct str s, struct arena *a)
{
    struct buf b;

    buf_init(&b, s.len + 1, a);
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] != ' ' && s.p[i] != '\n' && s.p[i] != '\r' && s.p[i] != '\t')
            buf_putc(&b, s.p[i]);
    }
    return buf_str(&b);
}

int flt_b64decode(struct call *c, struct val *out)
{
    struct str s;

    if (call_bind(c, "", NULL) != 0 || bytes_of(c, c->self, &s) != 0)
        return -1;
    if (!crypto_unb64(c->a, without_blanks(s, c->a), &s))
        return call_raise(c, TMPL_EXC_VALUE, "text is not base64");
    *out = val_str(utf8_repair(c->a, s));
    return 0;
}

int flt_hmac(struct call *c, struct val *out)
{
    struct val arg[2] = {VAL_STR_LIT(""), VAL_STR_LIT("sha256")};
    unsigned char mac[64];
    size_t len;
    struct str data;
    struct str key;
    struct str digest;

    if (call_bind(c, "key=,digest=", arg) != 0 || bytes_of(c, c->self, &data) != 0 ||
        bytes_of(c, arg[0], &key) != 0 || lib_need_text(c, arg[1], "digest", &digest) != 0)
        return -1;
    if (str_eq_c(digest, "md5") || !crypto_hmac(str_cstr(c->a, digest), key, data, mac, &len))
        return call_raise(
            c, TMPL_EXC_VALUE,
            "unknown digest '%.*s': sha1, sha224, sha256, sha384, sha512, blake2b or blake2s",
            STR_ARG(digest));
    *out = lib_str(crypto_hex(c->a, mac, len), VAL_F_ASCII);
    return 0;
}
