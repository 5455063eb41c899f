// As much of Arduino as the example sketches use.
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { LOW, HIGH, INPUT, OUTPUT, FALLING, EXTERNAL, A0, MSBFIRST, SPI_MODE1 };
struct SerialPort {
  void begin(unsigned long baud);
  int available();
  int read();
  int availableForWrite();
  size_t write(const uint8_t *bytes, size_t n);
};
extern SerialPort Serial;
unsigned long micros();
unsigned long millis();
void delay(unsigned long ms);
void delayMicroseconds(unsigned int us);
void pinMode(uint8_t pin, uint8_t mode);
int digitalRead(uint8_t pin);
void digitalWrite(uint8_t pin, uint8_t value);
int analogRead(uint8_t pin);
void analogReference(uint8_t mode);
void attachInterrupt(int interrupt, void (*handler)(), int mode);
int digitalPinToInterrupt(uint8_t pin);
void noInterrupts();
void interrupts();
long random(long from, long to);
void randomSeed(unsigned long seed);
