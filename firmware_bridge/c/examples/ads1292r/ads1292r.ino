// Leads I and II from an ADS1292R at 500 Hz over USB at 115200 baud; respiration is switched off.
// Copy ecglink.h and ecglink.c into this folder. Electrodes: IN1 = LL - RA, IN2 = LA - RA, RLD = RL.
// Wires: SPI, DRDY to D2, CS to D7, START to D5, PWDN/RESET to D4.
#include <SPI.h>

#include "ecglink.h"

const uint8_t DRDY = 2, RESET_PIN = 4, START_PIN = 5, CS = 7;
const uint8_t PER_FRAME = 5;
const uint8_t SDATAC = 0x11, RDATAC = 0x10, WREG = 0x40;

// 2.42 V / gain 6 / (2^23 - 1) = 48.08 nV; the converter's sinc filter at 500 Hz: -3 dB at 131 Hz, 3 ms.
const ecglink_channel CHANNELS[] = {
  {48081086, 0, 24, ECGLINK_LL, ECGLINK_RA, 0, 131000, 3000, NULL},
  {48081086, 0, 24, ECGLINK_LA, ECGLINK_RA, 0, 131000, 3000, NULL},
};
const ecglink_description DESCRIPTION = {
  "ADS1292R", NULL, "1.0",
  500, 1,        // samples per second, by the converter's own oscillator
  1000000, 1,    // ticks per second: micros()
  1 << ECGLINK_RA | 1 << ECGLINK_LA | 1 << ECGLINK_LL | 1 << ECGLINK_RL,
  PER_FRAME, 2, CHANNELS
};

// CONFIG1 500 Hz, CONFIG2 reference and lead-off comparators on, LOFF, CH1SET, CH2SET gain 6,
// RLD_SENS drive from all inputs and sense RL, LOFF_SENS all inputs, LOFF_STAT, RESP1 off, RESP2.
const uint8_t REGISTERS[] = {0x02, 0xE0, 0x10, 0x00, 0x00, 0x3F, 0x0F, 0x00, 0x02, 0x03};

ecglink_device ecg;
uint8_t ring[512];
int32_t counts[2 * PER_FRAME];
uint8_t n_samples = 0;
uint32_t first_us;
volatile uint8_t ready = 0;
volatile uint32_t ready_us;

void onReady() {
  ready++;
  ready_us = micros();
}

void command(uint8_t code) {
  digitalWrite(CS, LOW);
  SPI.transfer(code);
  delayMicroseconds(10);
  digitalWrite(CS, HIGH);
}

void setup() {
  Serial.begin(115200);
  pinMode(CS, OUTPUT);
  pinMode(START_PIN, OUTPUT);
  pinMode(RESET_PIN, OUTPUT);
  pinMode(DRDY, INPUT);
  SPI.begin();
  SPI.beginTransaction(SPISettings(1000000, MSBFIRST, SPI_MODE1));
  digitalWrite(RESET_PIN, LOW);
  delay(10);
  digitalWrite(RESET_PIN, HIGH);
  delay(1000);
  command(SDATAC);
  digitalWrite(CS, LOW);
  SPI.transfer(WREG | 0x01);
  SPI.transfer(sizeof REGISTERS - 1);
  for (uint8_t i = 0; i < sizeof REGISTERS; i++) SPI.transfer(REGISTERS[i]);
  delayMicroseconds(10);
  digitalWrite(CS, HIGH);
  command(RDATAC);
  randomSeed((unsigned long)analogRead(A0) + micros());
  ecglink_init(&ecg, &DESCRIPTION, (uint32_t)random(1, 0x7FFFFFFF), ring, sizeof ring);
  attachInterrupt(digitalPinToInterrupt(DRDY), onReady, FALLING);
  digitalWrite(START_PIN, HIGH);
}

int32_t count24(const uint8_t *b) {
  return (int32_t)((uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8) >> 8;
}

void sample(uint32_t at_us) {
  uint8_t b[9] = {0};
  digitalWrite(CS, LOW);
  SPI.transfer(b, sizeof b);
  digitalWrite(CS, HIGH);
  if (n_samples == 0) first_us = at_us;
  counts[2 * n_samples] = count24(b + 3);
  counts[2 * n_samples + 1] = count24(b + 6);
  n_samples++;
  if (n_samples < PER_FRAME) return;
  n_samples = 0;
  // Status: 1100, RL, IN2N, IN2P, IN1N, IN1P, ...; both N inputs are the right arm.
  uint16_t off = 0;
  if (b[0] & 0x08) off |= 1 << ECGLINK_RL;
  if (b[0] & 0x05) off |= 1 << ECGLINK_RA;
  if (b[0] & 0x02) off |= 1 << ECGLINK_LA;
  if (b[1] & 0x80) off |= 1 << ECGLINK_LL;
  ecglink_samples(&ecg, counts, PER_FRAME, first_us, off, 0xFFFF);
}

void loop() {
  noInterrupts();
  const uint8_t taken = ready;
  const uint32_t at_us = ready_us;
  ready = 0;
  interrupts();
  if (taken > 1) {  // the converter went on without us: say so, and begin a new frame after the gap
    const uint32_t missed = (uint32_t)n_samples + taken - 1;
    ecg.index += missed;
    ecg.dropped += missed;
    n_samples = 0;
  }
  if (taken > 0) sample(at_us);
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
