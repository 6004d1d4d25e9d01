/** A made-up drive round a block in Mountain View: smooth, endless, different for each vehicle, and marked as simulated. */
import type { Drive } from './drive.js';

const CENTRE = { lat: 37.422, lon: -122.0841 };
const RADIUS_DEGREES = 0.012;
const LAP_SECONDS = 600;

/** `seed`: any text, a device id in practice; it fixes where on its round the vehicle is and how fast it goes. */
export function simulatedDrive(seed: string): Drive {
  const phase = fraction(seed);
  const pace = 0.8 + 0.4 * fraction(`${seed}/pace`);
  return {
    source: 'simulated',
    name: `simulated (${seed})`,
    at(driveSeconds) {
      const angle = 2 * Math.PI * (phase + (driveSeconds * pace) / LAP_SECONDS);
      const wave = Math.sin((2 * Math.PI * driveSeconds) / 97 + 6 * phase);
      return {
        lat: round(CENTRE.lat + RADIUS_DEGREES * Math.sin(angle), 6),
        lon: round(CENTRE.lon + RADIUS_DEGREES * Math.cos(angle), 6),
        speed: round(40 * pace + 8 * wave, 1),
        soc: round(Math.max(5, 95 - (driveSeconds / 400) * pace), 2),
        simulated: true,
      };
    },
  };
}

/** FNV-1a over the text, as a number in [0, 1). */
function fraction(text: string): number {
  let hash = 0x811c9dc5;
  for (const character of text) hash = Math.imul(hash ^ (character.codePointAt(0) as number), 0x01000193) >>> 0;
  return hash / 2 ** 32;
}

function round(value: number, digits: number): number {
  const factor = 10 ** digits;
  return Math.round(value * factor) / factor;
}
