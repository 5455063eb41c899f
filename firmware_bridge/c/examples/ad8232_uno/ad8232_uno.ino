// Lead I from an AD8232 board on an Arduino Uno: 250 Hz over USB at 115200 baud.
// Copy ecglink.h and ecglink.c into this folder. Wires: 3.3V to the board and to AREF, OUTPUT to A0, LO+ to D10, LO- to D11.
#include <EEPROM.h>

#include "ecglink.h"

const uint8_t LO_PLUS = 10, LO_MINUS = 11;
const uint8_t PER_FRAME = 2;
const uint32_t PERIOD_US = 4000;

// 3.3 V / 1024 counts / gain 1100 = 2.93 uV; the board passes 0.5 to 40 Hz, which takes about 6 ms.
const ecglink_channel CHANNEL = {2929687500, 512, 10, ECGLINK_LA, ECGLINK_RA, 500, 40000, 5600, NULL};
const ecglink_description DESCRIPTION = {
  "AD8232 on Uno", NULL, "1.0",
  250, 1,        // samples per second
  1000000, 1,    // ticks per second: micros()
  1 << ECGLINK_LA | 1 << ECGLINK_RA,
  PER_FRAME, 1, &CHANNEL
};

ecglink_device ecg;
uint8_t ring[256];
int32_t counts[PER_FRAME];
uint8_t n_counts = 0;
uint32_t due_us, first_us;

void setup() {
  uint32_t boot;
  EEPROM.get(0, boot);
  EEPROM.put(0, ++boot);
  Serial.begin(115200);
  pinMode(LO_PLUS, INPUT);
  pinMode(LO_MINUS, INPUT);
  analogReference(EXTERNAL);
  ecglink_init(&ecg, &DESCRIPTION, boot, ring, sizeof ring);
  due_us = micros();
}

void sample() {
  if (n_counts == 0) first_us = due_us;
  counts[n_counts++] = analogRead(A0);
  due_us += PERIOD_US;
  if (n_counts == PER_FRAME) {
    const uint16_t off = (uint16_t)(digitalRead(LO_PLUS) << ECGLINK_LA | digitalRead(LO_MINUS) << ECGLINK_RA);
    ecglink_samples(&ecg, counts, n_counts, first_us, off, 0xFFFF);
    n_counts = 0;
  }
}

void loop() {
  if ((int32_t)(micros() - due_us) >= 0) sample();
  ecglink_poll(&ecg, millis(), 255);
  while (Serial.available() > 0) {
    const uint8_t byte = (uint8_t)Serial.read();
    ecglink_receive(&ecg, &byte, 1);
  }
  size_t n;
  const uint8_t *waiting = ecglink_peek(&ecg, &n);
  const size_t room = (size_t)Serial.availableForWrite();
  ecglink_consume(&ecg, Serial.write(waiting, n < room ? n : room));
}
