package pipeline

import hudson.AbortException
import hudson.model.Label
import hudson.model.Node
import io.fabric8.kubernetes.client.KubernetesClientException
import jenkins.model.Jenkins
import org.csanchez.jenkins.plugins.kubernetes.*
import org.jenkinsci.plugins.workflow.steps.*

/** Steps that choose where the steps inside them run: node, container, dir, podTemplate. */
class NodeSteps {
    private final Build build = Build.current

    @Step('label')
    Object node(StepCall call) {
        Agent agent = allocate(call, call.text('label'))
        try {
            build.log.line("Running on $agent.name in $agent.workspace")
            return call.body(call.context + [agent: agent, container: null, shell: null, folder: agent.workspace])
        } finally {
            agent.release()
        }
    }

    /**
     * Like the queue: an agent that does not come up is reported and replaced, until somebody gives up. The plugin
     * itself does for an image that cannot be pulled, a container that ended, and a pod that the cluster refuses other
     * than for its quota (its Reaper and KubernetesLauncher): it cancels the queue item.
     */
    private Agent allocate(StepCall call, String label) {
        while (true) {
            Agent agent = next(call, label)
            try {
                agent.start(call.branch)
                return agent
            } catch (IOException | KubernetesClientException failure) {
                agent.terminate()
                build.log.line("ERROR: $failure.message")
                if (isFinal(failure)) {
                    throw new FlowInterruptedException(reason: 'Queue task was cancelled', kind: new QueueTaskCancelled())
                }
                call.branch.pause(10_000)
            } catch (Throwable stopped) {
                agent.terminate()
                throw stopped
            }
        }
    }

    private static boolean isFinal(Exception failure) {
        boolean refused = failure instanceof KubernetesClientException && failure.code in 400..499
        return refused ? !failure.message.contains('exceeded quota') : failure instanceof AgentEnded
    }

    /** An idle agent or a new one, waiting until there may be one. */
    private Agent next(StepCall call, String name) {
        long notice = System.currentTimeMillis() + 15_000
        while (true) {
            Jenkins jenkins = build.controller()
            Label label = name ? jenkins.getLabel(name) : null
            Agent agent = alone { Agent.idle(build, label) ?: provision(jenkins, label, call.context.pods.values()) }
            if (agent) {
                return agent
            }
            if (System.currentTimeMillis() > notice) {
                String why = label?.nodes ? 'Waiting for next available executor on' :
                    'There are no nodes with the label'
                build.log.line("Still waiting to schedule task\n$why ‘${name}’")
                notice = Long.MAX_VALUE
            }
            call.branch.pause(500)
        }
    }

    /** Two builds, also of two processes, must not take one agent or pass one cap: they look one after the other. */
    private static synchronized Agent alone(Closure<Agent> look) {
        new RandomAccessFile(new File(Jenkins.get().rootDir, 'agents.lock'), 'rw').withCloseable {
            it.channel.lock()
            return look()
        }
    }

    /** Of the first template with the label whose cap is not reached; those of podTemplate steps come first. */
    private Agent provision(Jenkins jenkins, Label label, Collection<Map> dynamic) {
        return jenkins.clouds.getAll(KubernetesCloud).findResult { KubernetesCloud cloud ->
            List<PodTemplate> known = dynamic.findAll { it.cloud == cloud.name }*.template + cloud.templates
            known.findAll { label ? label.matches(it.labelSet) : it.nodeUsageMode == Node.Mode.NORMAL }.findResult {
                Map template = AgentPod.unwrap(it, known, cloud.defaultsProviderTemplate)
                List<KubernetesSlave> agents = jenkins.nodes.findAll { it.cloudName == cloud.name }
                boolean full = agents.size() >= cloud.containerCap ||
                    agents.count { it.templateId == template.id } >= (template.instanceCap ?: Integer.MAX_VALUE)
                full ? null : new Agent(build, cloud, it, template)
            }
        }
    }

    @Step(value = ['name', 'shell'], needs = 'hudson.model.Node')
    Object container(StepCall call) {
        return call.body(call.context + [container: call.text('name'), shell: call.text('shell')])
    }

    @Step(value = 'path', needs = 'hudson.FilePath')
    Object dir(StepCall call) {
        String folder = FileSteps.resolve(call.context, call.text('path'))
        build.log.line("Running in $folder")
        return call.body(call.context + [folder: folder])
    }

    /** A template for the body only. Its label is POD_LABEL there, unless the pipeline chose it. */
    @Step(['yaml', 'yamlMergeStrategy', 'inheritFrom', 'cloud', 'label', 'name', 'namespace', 'serviceAccount',
        'nodeSelector', 'containers', 'volumes', 'workspaceVolume', 'envVars', 'imagePullSecrets', 'annotations',
        'hostNetwork', 'runAsUser', 'runAsGroup', 'supplementalGroups', 'idleMinutes', 'instanceCap', 'nodeUsageMode',
        'slaveConnectTimeout', 'activeDeadlineSeconds', 'showRawYaml', 'podRetention'])
    Object podTemplate(StepCall call) {
        String cloud = call.text('cloud') ?: 'kubernetes'
        KubernetesCloud found = build.controller().getCloud(cloud)
        if (!found) {
            throw new AbortException("Cloud does not exist: $cloud")
        }
        PodTemplate outer = call.context.pods.values()*.template.reverse()[0]
        String run = "$build.options.job#$build.options.number".replaceAll('[^_.a-zA-Z0-9-]', '_')
        String label = call.text('label') ?: "${run.drop(run.size() - 57)}-${Agent.suffix()}"
        PodTemplate template = new PodTemplate()
        template.inheritFrom = outer?.name
        call.args.findAll { it.key != 'cloud' && it.key != 'imagePullSecrets' }.each { template[it.key] = it.value }
        template.label = label
        template.name = "${call.text('name') ?: label}-${Agent.suffix()}"
        template.namespace = call.text('namespace') ?: outer?.namespace ?: found.namespace
        template.imagePullSecrets = call.args.imagePullSecrets.collect { new PodImagePullSecret(it) }
        Map<String, Object> pods = call.context.pods + [(label): [cloud: cloud, template: template]]
        Map<String, String> env = call.context.env + (call.text('label') ? [:] : [POD_LABEL: label])
        return call.body(call.context + [pods: pods, env: env])
    }
}

/** Functions in a template's arguments. Each makes an object: a class, what its constructor takes, setters. */
class Symbols {
    static final Map<String, String> TABLE = [
        containerTemplate: 'ContainerTemplate name image', portMapping: 'PortMapping name containerPort hostPort',
        containerLivenessProbe: 'ContainerLivenessProbe execArgs timeoutSeconds initialDelaySeconds failureThreshold ' +
            'periodSeconds successThreshold',
        envVar: 'model.KeyValueEnvVar key value', secretEnvVar: 'model.SecretEnvVar key secretName secretKey optional',
        containerEnvVar: 'ContainerEnvVar key value', podEnvVar: 'PodEnvVar key value', merge: 'pod.yaml.Merge',
        podAnnotation: 'PodAnnotation key value', podImagePullSecret: 'PodImagePullSecret name',
        secretVolume: 'volumes.SecretVolume mountPath secretName defaultMode optional',
        configMapVolume: 'volumes.ConfigMapVolume mountPath configMapName optional',
        emptyDirVolume: 'volumes.EmptyDirVolume mountPath memory', dynamicPVC: 'volumes.DynamicPVCVolume',
        hostPathVolume: 'volumes.HostPathVolume hostPath mountPath readOnly',
        nfsVolume: 'volumes.NfsVolume serverAddress serverPath readOnly mountPath',
        persistentVolumeClaim: 'volumes.PersistentVolumeClaim mountPath claimName readOnly',
        genericEphemeralVolume: 'volumes.GenericEphemeralVolume',
        emptyDirWorkspaceVolume: 'volumes.workspace.EmptyDirWorkspaceVolume memory',
        hostPathWorkspaceVolume: 'volumes.workspace.HostPathWorkspaceVolume hostPath',
        nfsWorkspaceVolume: 'volumes.workspace.NfsWorkspaceVolume serverAddress serverPath readOnly',
        persistentVolumeClaimWorkspaceVolume:
            'volumes.workspace.PersistentVolumeClaimWorkspaceVolume claimName readOnly', override: 'pod.yaml.Overrides',
        always: 'pod.retention.Always', never: 'pod.retention.Never', onFailure: 'pod.retention.OnFailure']

    static Object make(String name, Map<String, Object> given) {
        List<String> words = TABLE[name].tokenize()
        Map plain = given.collectEntries { key, value -> [(key): value instanceof GString ? value.toString() : value] }
        Class type = Class.forName("org.csanchez.jenkins.plugins.kubernetes.${words.head()}")
        Object made = type.newInstance(words.tail().collect { plain[it] } as Object[])
        plain.findAll { !(it.key in words.tail()) }.each { made[it.key] = it.value }
        return made
    }
}
