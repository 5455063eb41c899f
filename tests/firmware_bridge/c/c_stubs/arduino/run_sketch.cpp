// Runs a sketch for some seconds of a clock that goes on 20 us whenever it is read. The host's bytes come from
// stdin, all at once; the board's go to stdout. The analogue input counts its conversions.
#include <stdio.h>
#include <stdlib.h>

#include "Arduino.h"

void setup();
void loop();

static unsigned long now_us = 0;
static int conversions = 0;
SerialPort Serial;

unsigned long micros() { return now_us += 20; }
unsigned long millis() { return micros() / 1000; }
void pinMode(uint8_t, uint8_t) {}
int digitalRead(uint8_t pin) { return pin == 11 ? HIGH : LOW; }
int analogRead(uint8_t) { return conversions++ % 1024; }
void analogReference(uint8_t) {}
void SerialPort::begin(unsigned long) {}
int SerialPort::available() { return feof(stdin) ? 0 : 1; }
int SerialPort::read() {
  const int byte = getchar();
  return byte == EOF ? 0 : byte;
}
int SerialPort::availableForWrite() { return 63; }
size_t SerialPort::write(const uint8_t *bytes, size_t n) { return fwrite(bytes, 1, n, stdout); }

int main(int argc, char **argv) {
  const unsigned long seconds = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
  setup();
  while (now_us < seconds * 1000000) loop();
  return 0;
}
