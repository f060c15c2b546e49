/*
 * The one C++ file: a C interface to libphonenumber, whose exceptions stay here.
 */
#include "format/phone.h"

#include <cstdio>
#include <exception>
#include <string>

#include <phonenumbers/phonenumberutil.h>

using i18n::phonenumbers::PhoneNumber;
using i18n::phonenumbers::PhoneNumberUtil;

namespace
{

const char *type_name(PhoneNumberUtil::PhoneNumberType type)
{
    switch (type) {
    case PhoneNumberUtil::FIXED_LINE:
        return "FIXED_LINE";
    case PhoneNumberUtil::MOBILE:
        return "MOBILE";
    case PhoneNumberUtil::FIXED_LINE_OR_MOBILE:
        return "FIXED_LINE_OR_MOBILE";
    case PhoneNumberUtil::TOLL_FREE:
        return "TOLL_FREE";
    case PhoneNumberUtil::PREMIUM_RATE:
        return "PREMIUM_RATE";
    case PhoneNumberUtil::SHARED_COST:
        return "SHARED_COST";
    case PhoneNumberUtil::VOIP:
        return "VOIP";
    case PhoneNumberUtil::PERSONAL_NUMBER:
        return "PERSONAL_NUMBER";
    case PhoneNumberUtil::PAGER:
        return "PAGER";
    case PhoneNumberUtil::UAN:
        return "UAN";
    case PhoneNumberUtil::VOICEMAIL:
        return "VOICEMAIL";
    default:
        return "UNKNOWN";
    }
}

bool parse(struct str text, struct str region, struct phone *out)
{
    const PhoneNumberUtil *util = PhoneNumberUtil::GetInstance();
    PhoneNumber number;
    std::string e164;
    std::string home;

    if (text.len == 0 || text.len > 250)
        return false;
    if (util->Parse(std::string(text.p, text.len), region.len > 0 ? std::string(region.p, region.len) : "ZZ",
                    &number) != PhoneNumberUtil::NO_PARSING_ERROR ||
        !util->IsValidNumber(number))
        return false;
    util->Format(number, PhoneNumberUtil::E164, &e164);
    util->GetRegionCodeForNumber(number, &home);
    out->country_code = number.country_code();
    out->type = type_name(util->GetNumberType(number));
    snprintf(out->e164, sizeof out->e164, "%s", e164.c_str());
    snprintf(out->region, sizeof out->region, "%s", home.c_str());
    return true;
}

} // namespace

bool phone_parse(struct str text, struct str region, struct phone *out)
{
    try {
        return parse(text, region, out);
    } catch (const std::exception &) {
        return false;
    }
}
