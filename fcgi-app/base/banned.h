/*
 * Functions that invite mistakes become compile errors.  Included by every .c through base.h users
 * is not needed: the build forces it in with -include.
 */
#ifndef SLUICE_BASE_BANNED_H
#define SLUICE_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat sprintf vsprintf strtok atoi atol atof gmtime localtime ctime     \
    asctime gets

#endif
