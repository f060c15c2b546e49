/*
 * The list of stores.
 */
#include "stores.h"

#include "alarm/alarm.h"
#include "api/api.h"
#include "api/login_gateway.h"
#include "api/transaction.h"
#include "api/user_view.h"
#include "auth/auth.h"
#include "engine/documents.h"
#include "engine/callbacks.h"
#include "engine/engine.h"
#include "engine/manual.h"
#include "engine/schedule.h"
#include "gateway/health.h"
#include "gateway/logins.h"
#include "live/live.h"
#include "maintenance.h"
#include "metrics.h"
#include "nodes/subworkflow_store.h"
#include "usage.h"
#include "vitals.h"

const struct db_stmts *const stores[] = {
    &alarm_stmts, &api_alarms_stmts, &live_stmts, &config_stmts,         &auth_stmts,          &engine_stmts,  &documents_stmts,            &maintenance_stmts,
    &metrics_stmts,        &api_help_stmts,      &api_health_stmts,        &api_activities_stmts,
    &api_versions_stmts,   &api_exchange_stmts,  &api_custom_routes_stmts, &api_templates_stmts,
    &api_requests_stmts,  &api_transactions_stmts, &api_mass_stmts,
    &user_view_stmts,      &api_me_stmts,        &api_users_stmts,         &api_roles_stmts,
    &api_profiles_stmts,   &api_configuration_stmts, &api_weak_passwords_stmts, &api_audit_stmts,
    &api_user_callbacks_stmts, &gw_health_stmts, &gateway_logins_stmts, &login_gateway_stmts,
    &password_gateway_stmts, &reset_gateway_stmts, &schedule_stmts, &api_cron_stmts, &api_timers_stmts, &api_startup_events_stmts, &api_openapi_stmts, &usage_stmts, &api_filters_stmts, &api_reset_stmts,
    &manual_stmts, &callback_stmts, &api_transaction_stmts, &api_manual_actions_stmts, &api_callbacks_stmts,
    &api_events_stmts, &api_comments_stmts, &api_statistics_stmts, &api_gateways_stmts,
    &nodes_stmts, &vitals_stmts,
};
const size_t n_stores = COUNT_OF(stores);
