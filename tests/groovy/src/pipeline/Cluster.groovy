package pipeline

import io.fabric8.kubernetes.api.model.Event
import io.fabric8.kubernetes.api.model.Pod
import io.fabric8.kubernetes.client.*
import io.fabric8.kubernetes.client.dsl.ExecWatch
import io.fabric8.kubernetes.client.dsl.PodResource
import io.fabric8.kubernetes.client.utils.Serialization
import java.util.concurrent.*

/** The cluster of KUBECONFIG: pods, their events, and processes in them. */
class Cluster {
    private final KubernetesClient client

    Cluster() {
        if (!System.getenv('KUBECONFIG')) {
            throw new IllegalStateException('KUBECONFIG is not set: no cluster to run agents on')
        }
        client = new KubernetesClientBuilder().build()
    }

    void create(Map manifest) { client.resource(Serialization.unmarshal(Serialization.asYaml(manifest), Pod)).create() }
    Pod pod(String namespace, String name) { resource(namespace, name).get() }
    void delete(String namespace, String name) { resource(namespace, name).delete() }
    private PodResource resource(String namespace, String name) { client.pods().inNamespace(namespace).withName(name) }

    List<Event> events(String namespace, String name) {
        return client.v1().events().inNamespace(namespace).withField('involvedObject.name', name).list().items
    }

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
        ByteArrayOutputStream err = new ByteArrayOutputStream()
        List<String> command = ['sh', '-c', script, 'sh'] + arguments
        exec(agent, AgentPod.AGENT, out, err, command).withCloseable { ExecWatch process ->
            if (input) {
                process.input << input
                process.input.flush()
            }
            int code = exitCode(process) { }
            if (code) {
                throw new IOException("exit code $code: ${err.toString('UTF-8').trim()}")
            }
        }
        return out.toByteArray()
    }

    /** Unpacks a folder of this machine into one of the agent, as the agent's user. */
    void upload(Agent agent, File from, String to) {
        byte[] archive = ['tar', '-C', from.path, '-cf', '-', '.'].execute().inputStream.bytes
        String script = 'mkdir -p "$2" && head -c "$1" | tar -xof - -C "$2"'
        run(agent, script, [archive.length.toString(), to], new ByteArrayInputStream(archive))
    }

    /** The reverse. */
    void download(Agent agent, String from, File to) {
        byte[] archive = run(agent, 'tar -cf - -C "$1" .', [from])
        Process unpacking = ['tar', '-C', to.path, '-xf', '-'].execute()
        unpacking.withOutputStream { it << archive }
        unpacking.waitFor()
    }
}
