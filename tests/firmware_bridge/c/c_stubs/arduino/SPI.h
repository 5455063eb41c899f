#pragma once
#include <Arduino.h>
struct SPISettings {
  SPISettings(uint32_t clock, uint8_t order, uint8_t mode);
};
struct SpiBus {
  void begin();
  void beginTransaction(SPISettings settings);
  uint8_t transfer(uint8_t byte);
  void transfer(void *bytes, size_t n);
};
extern SpiBus SPI;
