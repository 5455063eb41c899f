#pragma once
#include <stdint.h>
typedef uint32_t TickType_t;
typedef int BaseType_t;
typedef unsigned UBaseType_t;
typedef struct QueueDefinition *QueueHandle_t;
#define portMAX_DELAY 0xFFFFFFFFUL
#define pdTRUE 1
