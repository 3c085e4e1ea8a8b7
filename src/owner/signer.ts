// SPDX-License-Identifier: Apache-2.0
// Who signs: a private key in a file, or a command for keys that never leave their hardware. Node only.
import { spawn } from "node:child_process";
import { createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { EdgerunError } from "../errors.ts";
import { type KeyAlgorithm, type OwnerKey, readPrivateKey, readPublicKey } from "./keys.ts";
import { derToRaw } from "./signature_form.ts";

export type Signer = {
  kid: string;
  algorithm: KeyAlgorithm;
  /** The signature in the form of JOSE: for ECDSA r||s. */
  sign(message: Uint8Array): Promise<Uint8Array>;
};

/** How the command line says it: a private key's file, or a command and the public key that it signs for. */
export type SignerChoice = { key: string; signer?: string | undefined };

/**
 * @throws EdgerunError HOST or MANIFEST_INVALID when the key file is not in order
 */
export async function openSigner({ key: file, signer: command }: SignerChoice): Promise<Signer> {
  if (command !== undefined) return openCommand(command, await readPublicKey(file));
  const { kid, algorithm, key } = await readPrivateKey(file);
  return { kid, algorithm, sign: async (message) => sign(digestOf(algorithm), message, rawForm(algorithm, key)) };
}

/** What signatures have to be of, for each algorithm. */
export const signatureBytes: { readonly [algorithm in KeyAlgorithm]: number } = { EdDSA: 64, ES256: 64, ES512: 132 };

function digestOf(algorithm: KeyAlgorithm): string | null {
  if (algorithm === "EdDSA") return null;
  return algorithm === "ES512" ? "sha512" : "sha256";
}

function rawForm(algorithm: KeyAlgorithm, key: KeyObject) {
  return algorithm === "EdDSA" ? key : ({ key, dsaEncoding: "ieee-p1363" } as const);
}

/**
 * The command gets the bytes to sign on its standard input, and $EDGERUN_ALG and $EDGERUN_KID; it prints the signature,
 * raw, or for ECDSA in DER as well, because some tokens only do that. What it prints is verified before it is used.
 */
function openCommand(command: string, { kid, algorithm, key }: OwnerKey): Signer {
  return {
    kid,
    algorithm,
    async sign(message) {
      const output = await runSigner(command, message, { EDGERUN_ALG: algorithm, EDGERUN_KID: kid });
      const size = signatureBytes[algorithm];
      const signature = output.length === size || algorithm === "EdDSA" ? output : derToRaw(output, size / 2);
      if (signature === undefined || signature.length !== size) {
        throw failed(
          command,
          `it printed ${output.length} bytes, which are no signature of ${algorithm} (${size} bytes)`,
        );
      }
      const publicKey = key.type === "public" ? key : createPublicKey(key);
      if (!verify(digestOf(algorithm), message, rawForm(algorithm, publicKey), signature)) {
        throw failed(command, `its signature is not valid for key "${kid}": is that the key that it signs with?`);
      }
      return signature;
    },
  };
}

const maxOutputBytes = 65536;

/** Runs it in a shell, so that it can be a command line. Its stderr, where a PIN may be asked for, is ours. */
async function runSigner(command: string, input: Uint8Array, env: { [name: string]: string }): Promise<Uint8Array> {
  const child = spawn("/bin/sh", ["-c", command], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
  const chunks: Buffer[] = [];
  let size = 0;
  child.stdout.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size <= maxOutputBytes) chunks.push(chunk);
  });
  child.stdin.on("error", () => undefined); // one that does not read its input shows what that means by its output
  child.stdin.end(input);
  const ended = await new Promise<string | undefined>((resolve) => {
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code, signal) =>
      resolve(code === 0 ? undefined : `it ended with ${signal ?? `exit code ${code}`}`),
    );
  });
  if (ended !== undefined) throw failed(command, ended);
  return new Uint8Array(Buffer.concat(chunks));
}

function failed(command: string, problem: string): EdgerunError {
  return new EdgerunError("HOST", `the signer ${JSON.stringify(command)} failed: ${problem}`);
}
