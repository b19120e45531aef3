// Loaded before a test file with properties (node --import): every property begins with this seed.
import fc from 'fast-check';

const seed = Number(process.env.RESTEER_SEED);
if (!Number.isInteger(seed)) throw new Error(`RESTEER_SEED=${process.env.RESTEER_SEED}: an integer`);
fc.configureGlobal({ ...fc.readConfigureGlobal(), seed });
