#pragma once
#include <stddef.h>
#include <stdint.h>
typedef struct { int64_t ticks; } k_timeout_t;
struct k_timer { int unused; };
struct k_msgq { int unused; };
#define K_TICKS(n) ((k_timeout_t){(n)})
#define K_NO_WAIT ((k_timeout_t){0})
#define K_TIMER_DEFINE(name, expiry, stop) struct k_timer name
#define K_MSGQ_DEFINE(name, size, count, align) struct k_msgq name
void k_timer_start(struct k_timer *timer, k_timeout_t duration, k_timeout_t period);
uint32_t k_timer_status_sync(struct k_timer *timer);
int k_msgq_put(struct k_msgq *queue, const void *data, k_timeout_t timeout);
int k_msgq_get(struct k_msgq *queue, void *data, k_timeout_t timeout);
int64_t k_uptime_ticks(void);
uint32_t k_uptime_get_32(void);
