#pragma once
struct Eeprom {
  template <typename T> T &get(int, T &value) { return value = 41; }
  template <typename T> const T &put(int, const T &value) { return value; }
};
static Eeprom EEPROM;
