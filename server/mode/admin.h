/* server/mode/admin.h - the life of server->admin, when there is one (mode.h);
 * called by life.c on the main thread. */
#pragma once

#include <sys/types.h>

#include "server/mode/mode.h"

MUST_USE int admin_start(struct mode_server *server);
void admin_tick(struct mode_server *server);
/* A child of this process ended: was it the administrators'? */
bool admin_ended(struct mode_server *server, pid_t pid);
void admin_stop(struct mode_server *server);
