// Agents. Whoever runs them keeps a file per agent under HOME/nodes/NAME, and one called `busy` beside it while a build holds it.
package org.csanchez.jenkins.plugins.kubernetes

import groovy.transform.CompileStatic
import hudson.model.Computer
import hudson.model.Node
import jenkins.model.Jenkins

@CompileStatic
class KubernetesSlave extends Node {
    String cloudName
    private final String templateId

    KubernetesSlave(String name, PodTemplate template, String nodeDescription, String cloudName, String labelString) {
        super(name, nodeDescription, template.remoteFs, template.nodeUsageMode, labelString)
        this.cloudName = cloudName
        this.templateId = template.id
    }

    String getTemplateId() { templateId }
    String getPodName() { nodeName }
    KubernetesCloud getKubernetesCloud() { (KubernetesCloud) Jenkins.get().getCloud(cloudName) }

    /** Null when the cloud or the template is gone. */
    PodTemplate getTemplateOrNull() { kubernetesCloud?.getTemplateById(templateId) }

    PodTemplate getTemplate() {
        PodTemplate template = templateOrNull
        if (template == null) {
            throw new IllegalStateException('Unable to resolve pod template from id')
        }
        template
    }

    @Override Computer createComputer() { new KubernetesComputer(this) }
}

@CompileStatic
class KubernetesComputer extends Computer {
    KubernetesComputer(KubernetesSlave node) { super(node) }
}
