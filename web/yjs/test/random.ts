export { seeded } from '../../client/test/random.js';
