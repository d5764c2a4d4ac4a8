export { onRequest } from '../../edge.js';
