import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.zip.CRC32;
import java.util.zip.Deflater;
import java.util.zip.Inflater;

/** Prints checksums of what several threads make of fixed data, inside and outside the heap. */
final class Churn {
    static long churn(int seed) {
        Random random = new Random(seed);
        Map<Integer, byte[]> map = new HashMap<>();
        for (int i = 0; i < 200_000; i++) {
            int key = random.nextInt(5000);
            if (i % 4 == 0) map.remove(key);
            else map.put(key, new byte[random.nextInt(500)]);
        }
        return map.entrySet().stream().mapToLong(e -> (long) e.getKey() * e.getValue().length).sum();
    }

    /** Deflater, Inflater and direct buffers use malloc. */
    static long outside(int seed) throws Exception {
        CRC32 crc = new CRC32();
        for (int i = 1; i <= 20; i++) {
            byte[] data = new byte[10_000 * i];
            new Random(seed + i).nextBytes(data);
            byte[] packed = new byte[data.length + 1000];
            Deflater deflater = new Deflater(i % 9 + 1);
            deflater.setInput(data);
            deflater.finish();
            int length = deflater.deflate(packed);
            deflater.end();
            ByteBuffer direct = ByteBuffer.allocateDirect(length).put(packed, 0, length).flip();
            byte[] again = new byte[data.length];
            Inflater inflater = new Inflater();
            inflater.setInput(direct);
            inflater.inflate(again);
            inflater.end();
            crc.update(again);
        }
        return crc.getValue();
    }

    public static void main(String[] args) throws Exception {
        for (int round = 0; round < 3; round++) {
            long[] sums = new long[4];
            Thread[] threads = new Thread[sums.length];
            for (int i = 0; i < threads.length; i++) {
                int id = i;
                threads[i] = new Thread(() -> {
                    try {
                        sums[id] = churn(id) + outside(id);
                    } catch (Exception e) {
                        throw new RuntimeException(e);
                    }
                }, "churn-" + i);
                threads[i].start();
            }
            for (Thread t : threads) t.join();
            for (long sum : sums) System.out.println("thread " + sum);
        }
        System.out.println("parallel " + IntStream.range(0, 64).parallel().mapToLong(Churn::churn).sum());
        Process cat = new ProcessBuilder("cat", "/etc/debian_version").start();
        System.out.print("child " + new String(cat.getInputStream().readAllBytes()) + cat.waitFor() + "\n");
        Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook")));
        System.exit(7 - 7);
    }
}
