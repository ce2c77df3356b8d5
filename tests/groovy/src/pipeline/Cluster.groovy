package pipeline

import io.fabric8.kubernetes.api.model.Event
import io.fabric8.kubernetes.api.model.Pod
import io.fabric8.kubernetes.client.KubernetesClient
import io.fabric8.kubernetes.client.KubernetesClientBuilder
import io.fabric8.kubernetes.client.KubernetesClientException
import io.fabric8.kubernetes.client.dsl.ExecWatch
import io.fabric8.kubernetes.client.dsl.PodResource
import io.fabric8.kubernetes.client.utils.Serialization
import java.util.concurrent.ExecutionException
import java.util.concurrent.TimeUnit
import java.util.concurrent.TimeoutException

/** The cluster of KUBECONFIG: pods, their events, and processes in them. */
class Cluster {
    private static final int CHUNK = 64 * 1024
    private final KubernetesClient client

    Cluster() {
        if (!System.getenv('KUBECONFIG')) {
            throw new IllegalStateException('KUBECONFIG is not set: no cluster to run agents on')
        }
        client = new KubernetesClientBuilder().build()
    }

    void create(Map manifest) {
        Pod pod = Serialization.unmarshal(Serialization.asYaml(manifest), Pod)
        client.pods().inNamespace(pod.metadata.namespace).resource(pod).create()
    }

    Pod pod(String namespace, String name) { resource(namespace, name).get() }

    void delete(String namespace, String name) { resource(namespace, name).delete() }

    List<Event> events(String namespace, String name) {
        return client.v1().events().inNamespace(namespace).withField('involvedObject.name', name).list().items
    }

    private PodResource resource(String namespace, String name) { client.pods().inNamespace(namespace).withName(name) }

    /** Starts a process; whoever gets it waits for it with `exitCode` and closes it. */
    ExecWatch exec(Agent agent, String container, OutputStream out, OutputStream err, List<String> command) {
        return resource(agent.namespace, agent.name).inContainer(container).redirectingInput()
            .writingOutput(out).writingError(err).exec(command as String[])
    }

    /** Waits, calling `tick` several times a second. */
    static int exitCode(ExecWatch process, Closure tick) {
        while (true) {
            try {
                return process.exitCode().get(100, TimeUnit.MILLISECONDS)
            } catch (TimeoutException running) {
                tick.call()
            } catch (ExecutionException lost) {
                throw lost.cause instanceof KubernetesClientException ? lost.cause : new IOException(lost.cause)
            }
        }
    }

    /** Runs a short script to its end in the agent's own container and returns its output. */
    byte[] run(Agent agent, String script, List<String> arguments = [], InputStream input = null) {
        ByteArrayOutputStream out = new ByteArrayOutputStream()
        stream(agent, script, arguments, input, out)
        return out.toByteArray()
    }

    private void stream(Agent agent, String script, List<String> arguments, InputStream input, OutputStream out) {
        ByteArrayOutputStream err = new ByteArrayOutputStream()
        ExecWatch process = exec(agent, AgentPod.AGENT, out, err, ['sh', '-c', script, 'sh'] + arguments)
        try {
            if (input) {
                feed(process, input)
            }
            int code = exitCode(process) { }
            if (code) {
                throw new IOException("exit code $code: ${err.toString('UTF-8').trim()}")
            }
        } finally {
            process.close()
        }
    }

    /** Unpacks a folder of this machine into one of the agent, as the agent's user. */
    void upload(Agent agent, File from, String to) {
        File archive = File.createTempFile('upload', '.tar')
        try {
            Host.run(['tar', '-C', from.path, '-cf', archive.path, '.'])
            String script = 'mkdir -p "$2" && head -c "$1" | tar -xof - -C "$2"'
            archive.withInputStream { stream(agent, script, [archive.length().toString(), to], it, new ByteArrayOutputStream()) }
        } finally {
            archive.delete()
        }
    }

    /** The reverse. */
    void download(Agent agent, String from, File to) {
        File archive = File.createTempFile('download', '.tar')
        try {
            archive.withOutputStream { stream(agent, 'tar -cf - -C "$1" .', [from], null, it) }
            Host.run(['tar', '-C', to.path, '-xf', archive.path])
        } finally {
            archive.delete()
        }
    }

    private static void feed(ExecWatch process, InputStream input) {
        byte[] buffer = new byte[CHUNK]
        for (int count = input.read(buffer); count >= 0; count = input.read(buffer)) {
            process.input.write(buffer, 0, count)
        }
        process.input.flush()
    }
}
