/*
 * HTTP status codes: the one map from errors, and their names.
 */
#include "http/request.h"

int http_status_of(enum err_code code)
{
    static const int map[] = {
        [ERR_NONE] = 200,          [ERR_INVALID] = 400,     [ERR_UNAUTHORIZED] = 401,
        [ERR_FORBIDDEN] = 403,     [ERR_NOT_FOUND] = 404,   [ERR_METHOD] = 405,
        [ERR_CONFLICT] = 409,      [ERR_GONE] = 410,        [ERR_LIMIT] = 413,
        [ERR_UNPROCESSABLE] = 422, [ERR_MISDIRECTED] = 421, [ERR_INTERNAL] = 500,
        [ERR_UPSTREAM] = 502,      [ERR_BUSY] = 503,        [ERR_DB] = 503,
        [ERR_TIMEOUT] = 504,       [ERR_CONFIG] = 500,      [ERR_USAGE] = 500,
    };

    return (size_t)code < COUNT_OF(map) ? map[code] : 500;
}

const char *http_status_text(int status)
{
    static const struct {
        int status;
        const char *text;
    } names[] = {
        {100, "Continue"},
        {101, "Switching Protocols"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {203, "Non-Authoritative Information"},
        {204, "No Content"},
        {205, "Reset Content"},
        {206, "Partial Content"},
        {207, "Multi-Status"},
        {300, "Multiple Choices"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {402, "Payment Required"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {407, "Proxy Authentication Required"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {423, "Locked"},
        {424, "Failed Dependency"},
        {425, "Too Early"},
        {426, "Upgrade Required"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {451, "Unavailable For Legal Reasons"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
        {508, "Loop Detected"},
    };

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (names[i].status == status)
            return names[i].text;
    }
    return status < 200   ? "Informational"
           : status < 300 ? "Success"
           : status < 400 ? "Redirection"
           : status < 500 ? "Client Error"
                          : "Server Error";
}
